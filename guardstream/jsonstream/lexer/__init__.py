"""An exact incremental lexer for JSON: tokens as soon as they are certain."""
