"""What adapters are written with: specs compiled to readers, and what several formats share."""
