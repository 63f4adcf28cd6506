"""Programs: what a command runs above the rooms: several processes, the demo, a look at the installation."""
