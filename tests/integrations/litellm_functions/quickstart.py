# The first example of https://docs.litellm.ai, as published, its keys in the environment.
from litellm import completion

messages = [{"content": "Hello, how are you?", "role": "user"}]

# openai call
response = completion(model="openai/gpt-4o", messages=messages)

# anthropic call
response = completion(model="anthropic/claude-sonnet-4-6", messages=messages)
print(response)
