"""JSON Schema compiled to states that refuse at the first character."""
