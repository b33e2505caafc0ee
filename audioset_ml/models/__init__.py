"""The networks, their layers, published weights, the exported form."""
