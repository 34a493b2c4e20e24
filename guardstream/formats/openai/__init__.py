"""OpenAI's formats: chat completions, completions, responses, assistants."""
