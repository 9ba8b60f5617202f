print("decant")
