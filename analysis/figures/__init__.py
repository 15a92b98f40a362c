"""Pictures: each takes a frame and draws what is in it; nothing is computed here."""
