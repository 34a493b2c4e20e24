"""JSON documents in a text: found, validated, and their strings redacted."""
