"""Settings: one's own account, and for administrators the network; each module is one of their pages."""
