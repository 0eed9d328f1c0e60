"""OpenTelemetry instrumentors, one module per model client or framework.

    from agentguard_integrations.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument()

`agentguard.init()`, `agentguard exec` and `opentelemetry-instrument` turn on all whose library is
installed. Each traces its library by the GenAI conventions, and asks the guards of the run where
that library really lets itself be stopped.
"""
