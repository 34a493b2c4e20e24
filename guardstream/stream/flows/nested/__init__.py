"""JSON in a string, alone or in server-sent events: the strings and numbers in it, which are judged
as texts of their own."""
