"""Tests that need the packages of providers and frameworks: `make test-all` installs them."""
