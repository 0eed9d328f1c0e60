"""Guarding a whole program that was not written for it: `agentguard exec -- command`.

plan      what the command line asked for, handed down in the environment
site      a folder on PYTHONPATH, by which each Python process of the program finds us
process   what happens in such a process: one run around everything in it, under guards
desk      in the parent: the one budget of all these processes, their reports, their stop
receipt   what the program did, what it cost, why it ended
program   the program itself: started, given time, ended
"""
