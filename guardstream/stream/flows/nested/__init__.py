"""JSON in a string, alone or in server-sent events: its strings and numbers are judged as texts of
their own."""
