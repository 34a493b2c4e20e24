"""An endpoint that judges what gateways and programs send it, and forwards nothing."""
