"""The calls of the API, each described once; `Client` and `AsyncClient` send them."""
