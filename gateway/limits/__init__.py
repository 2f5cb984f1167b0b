"""How much a visitor or an API key may use."""
