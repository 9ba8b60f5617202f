import DecantCLI
import Glibc

@main
enum Main {
  static func main() { exit(Decant.run()) }
}
