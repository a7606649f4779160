"""What runs on the user's machine: declaring an agent, running its skills, keeping it connected, and calling others."""
