/// Mistakes in declarations, found by a test over the whole tree of verbs rather than by a user.
package enum DeclarationCheck {
  /// One sentence per mistake in an entry and all below it; empty where all is well.
  package static func faults(in entry: CommandEntry, path: String = "") -> [String] {
    let path = path.isEmpty ? entry.name : "\(path) \(entry.name)"
    var found = nameFaults(entry.name).map { "\(path): \($0)" }
    if entry.summary.isEmpty || entry.summary.hasSuffix(".") {
      found.append("\(path): the summary is empty or ends with a period")
    }
    switch entry {
    case .group(let group):
      found += duplicates(group.entries.map(\.name)).map { "\(path): two entries are named \($0)" }
      found += group.entries.flatMap { faults(in: $0, path: path) }
    case .command(let command):
      found += faults(in: command.declaration).map { "\(path): \($0)" }
    }
    return found
  }

  private static func faults(in declaration: Declaration) -> [String] {
    var found: [String] = []
    found += duplicates(declaration.options.map(\.name) + ["help", "version"]).map { "--\($0) is declared twice" }
    found += declaration.options.flatMap { nameFaults($0.name) }
    found += duplicates(declaration.positionals.map(\.name)).map { "\($0) is declared twice" }
    for (earlier, later) in zip(declaration.positionals, declaration.positionals.dropFirst()) {
      if !earlier.isRequired && later.isRequired {
        found.append("\(later.label) is required but follows the optional \(earlier.label)")
      }
    }
    for parameter in declaration.parameters {
      if parameter.placeholder.isEmpty != parameter.isFlag { found.append("\(parameter.label) and its placeholder") }
      if !parameter.help.hasSuffix(".") { found.append("the help of \(parameter.label) does not end with a period") }
    }
    if declaration.examples.isEmpty { found.append("there is no example") }
    return found
  }

  private static func nameFaults(_ name: String) -> [String] {
    let fits =
      name.first?.isLetter == true && name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }
    return fits ? [] : ["the name '\(name)' is not made of a-z, 0-9 and -"]
  }

  private static func duplicates(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.filter { !seen.insert($0).inserted }
  }
}
