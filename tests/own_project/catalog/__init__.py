"""What the team sells."""
