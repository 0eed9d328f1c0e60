# ruff: noqa: D100, D103, E501, T201 - as it is published
# https://developers.llamaindex.ai/python/framework/getting_started/starter_example/
# The same, with documents to search in; they are written down here.
import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from llama_index.core import SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow
from llama_index.llms.openai import OpenAI

# Create a RAG tool using LlamaIndex
with TemporaryDirectory() as data:
    Path(data, "essay.txt").write_text("In college I studied philosophy, and then painting.")
    documents = SimpleDirectoryReader(data).load_data()
index = VectorStoreIndex.from_documents(documents)
query_engine = index.as_query_engine()


def multiply(a: float, b: float) -> float:
    """Useful for multiplying two numbers."""
    return a * b


async def search_documents(query: str) -> str:
    """Useful for answering natural language questions about an personal essay written by Paul Graham."""
    response = await query_engine.aquery(query)
    return str(response)


# Create an enhanced workflow with both tools
agent = AgentWorkflow.from_tools_or_functions(
    [multiply, search_documents],
    llm=OpenAI(model="gpt-4o-mini"),
    system_prompt="""You are a helpful assistant that can perform calculations
    and search through documents to answer questions.""",
)


# Now we can ask questions about the documents or do calculations
async def main():
    response = await agent.run("What did the author do in college? Also, what's 7 * 8?")
    print(response)


# Run the agent
if __name__ == "__main__":
    asyncio.run(main())
