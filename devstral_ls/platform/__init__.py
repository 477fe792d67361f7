"""What differs between operating systems: folders, locks, processes, the network switch."""
