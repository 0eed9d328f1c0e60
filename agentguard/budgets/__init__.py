"""Where budgets are kept, and how calls are counted against them.

    spend        the three counts: calls, tokens, pico-dollars
    ledger       one budget: what is spent, held and left; `Ledger` is the protocol
    window       what a rolling budget remembers
    accounts     the ledgers of one guard: one for each user, session and so on
    reservation  what one call holds of a ledger
    estimate     how many tokens a call will use
    pricing      what a token costs, also where nobody knows
    reserving    from a call to what is held for it
    settling     from a call that ended to what it used
    limits       what a guard was given as its limits
    limit_text   limits in words: "$5/hour"
    arguments    a guard's arguments, checked
    words        what a budget says to people

`agentguard.guards.budget.BudgetGuard` puts them to work.
"""
