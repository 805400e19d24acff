"""A second simulator, which shares no line table and no evolution code with fit or simulator."""
