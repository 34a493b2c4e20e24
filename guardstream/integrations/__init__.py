"""Integrations with other frameworks, one module for each."""
