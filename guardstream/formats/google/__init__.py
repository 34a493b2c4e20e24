"""Google's formats: generate content, interactions."""
