// DecantCLI
