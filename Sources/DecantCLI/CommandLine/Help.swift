/// The help texts, made from the declarations alone.
enum Help {
  /// Columns of the text; fixed, so that a help text is the same everywhere.
  static let width = 100

  /// The help of a whole program.
  static func text(for program: Program) -> String {
    """
    \(program.name) \(program.version): \(program.summary)

    USAGE
      \(program.name) VERB ...

    \(paragraphs(program.discussion))VERBS
    \(table(program.entries.map { ($0.name, $0.summary) }))

      Each verb explains itself: \(program.name) VERB --help

    OPTIONS
    \(table([("--help, -h", "Print this help and exit."), ("--version", "Print the version and exit.")]))

    \(exitStatus)
    """
  }

  /// The help of a group of commands.
  static func text(for group: CommandGroup, path: String) -> String {
    """
    \(path): \(group.summary)

    USAGE
      \(path) VERB ...

    \(paragraphs(group.discussion))VERBS
    \(table(group.entries.map { ($0.name, $0.summary) }))

      Each verb explains itself: \(path) VERB --help

    """
  }

  /// The help of one command.
  static func text(for declaration: Declaration, path: String) -> String {
    var text = "\(path): \(declaration.summary)\n\nUSAGE\n\(usage(declaration, path: path))\n\n"
    text += paragraphs(declaration.discussion)
    if !declaration.positionals.isEmpty {
      text += "ARGUMENTS\n\(table(declaration.positionals.map(row)))\n\n"
    }
    text += "OPTIONS\n\(table(declaration.options.map(row) + [("--help, -h", "Print this help and exit.")]))\n\n"
    if !declaration.examples.isEmpty {
      text += "EXAMPLES\n"
      text += declaration.examples.map { "  # \($0.does)\n  \($0.line)\n" }.joined(separator: "\n") + "\n"
    }
    return text + exitStatus
  }

  private static let exitStatus = """
    EXIT STATUS
      0 done, 1 failed, 2 bad usage, configuration or input,
      75 stopped by a signal and worth running again

    """

  /// The command with what must be given, then `[options]` where there is more.
  private static func usage(_ declaration: Declaration, path: String) -> String {
    var words = declaration.options.filter(\.isRequired).map { "\($0.label) \($0.placeholder)" }
    if declaration.options.contains(where: { !$0.isRequired }) { words.append("[options]") }
    words += declaration.positionals.map { $0.isRequired ? $0.placeholder : "[\($0.placeholder)]" }
    // A usage too long for one line goes on indented.
    var lines = ["  \(path)"]
    for word in words {
      if lines[lines.count - 1].count + 1 + word.count > width { lines.append("     ") }
      lines[lines.count - 1] += " \(word)"
    }
    return lines.joined(separator: "\n")
  }

  private static func row(_ parameter: ParameterSpecification) -> (String, String) {
    var left = parameter.label
    if parameter.kind == .option { left += " \(parameter.placeholder)" }
    var notes: [String] = []
    if parameter.isRequired && parameter.kind == .option { notes.append("required") }
    if parameter.isRepeated { notes.append("may be repeated") }
    if let text = parameter.defaultText { notes.append("default: \(text.isEmpty ? "''" : text)") }
    return (left, notes.isEmpty ? parameter.help : "\(parameter.help) (\(notes.joined(separator: "; ")))")
  }

  /// Two columns; a left entry too wide for its column has its text on the next line.
  private static func table(_ rows: [(left: String, right: String)]) -> String {
    let column = min(28, (rows.map(\.left.count).max() ?? 0) + 2)
    let indent = String(repeating: " ", count: column + 2)
    return rows.map { row in
      let lines = wrapped(row.right, to: width - column - 2)
      let text = lines.joined(separator: "\n" + indent)
      if row.left.count + 2 > column { return "  \(row.left)\n\(indent)\(text)" }
      return "  \(row.left)\(String(repeating: " ", count: column - row.left.count))\(text)"
    }.joined(separator: "\n")
  }

  /// Paragraphs rewrapped to the width, each followed by a blank line.
  private static func paragraphs(_ text: String) -> String {
    var paragraphs: [String] = [""]
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      if line.isEmpty { paragraphs.append("") } else { paragraphs[paragraphs.count - 1] += " \(line)" }
    }
    return paragraphs.filter { !$0.isEmpty }
      .map { wrapped($0, to: width).joined(separator: "\n") + "\n\n" }.joined()
  }

  private static func wrapped(_ text: String, to width: Int) -> [String] {
    var lines = [""]
    for word in text.split(separator: " ") {
      let last = lines.count - 1
      if lines[last].isEmpty {
        lines[last] = String(word)
      } else if lines[last].count + 1 + word.count <= width {
        lines[last] += " \(word)"
      } else {
        lines.append(String(word))
      }
    }
    return lines
  }
}
