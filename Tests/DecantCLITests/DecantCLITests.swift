// Tests of DecantCLI.
