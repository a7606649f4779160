"""What an agent and its machine take: looked at now and then, told in beats, and a reason to pause."""
