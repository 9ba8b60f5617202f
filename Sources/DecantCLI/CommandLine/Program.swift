import Diagnostics

/// A program of several verbs: finds the one named, parses its words, runs it and prints what went wrong.
package struct Program: Sendable {
  package var name: String
  package var version: String
  /// What it does, as a phrase without a period.
  package var summary: String
  /// Paragraphs for the help.
  package var discussion: String
  package var entries: [CommandEntry]

  package init(name: String, version: String, summary: String, discussion: String, entries: [CommandEntry]) {
    self.name = name
    self.version = version
    self.summary = summary
    self.discussion = discussion
    self.entries = entries
  }

  /// Runs the program on its words (without its own name) and returns the exit status.
  ///
  /// Results go to `output`; the error printer, one for all verbs, writes to `errors`.
  package func run(_ words: [String], output: Output, errors: Output) -> Int32 {
    finish(output: output, errors: errors) { try dispatch(words, output: output) }
  }

  /// Runs `body` and turns what it throws into the message and the exit status of the process.
  func finish(output: Output, errors: Output, _ body: () throws -> Void) -> Int32 {
    do {
      try body()
      return 0
    } catch {
      var diagnostic = ErrorPrinter.diagnostic(for: error)
      if diagnostic.category == .unread {
        output.endUnread()
        // The caller wants to be told, like of any other trouble.
        diagnostic.category = .failure
      }
      // Where standard error cannot be written either, the exit status is all that can be told.
      try? errors.line("\(name): \(diagnostic.printable)")
      return diagnostic.exitStatus
    }
  }

  func dispatch(_ words: [String], output: Output) throws {
    if words.first == "--version" { return try output.line("\(name) \(version)") }
    if words.first == "help" {
      // `help VERB` is `VERB --help`.
      return try dispatch(Array(words.dropFirst()) + ["--help"], output: output)
    }
    let root = CommandGroup(name, summary, discussion: discussion, entries)
    var group = root
    var path = name
    for (index, word) in words.enumerated() {
      if word == "--help" || word == "-h" {
        return try output.write(path == name ? Help.text(for: self) : Help.text(for: group, path: path))
      }
      switch try entry(named: word, in: group, path: path) {
      case .group(let next):
        group = next
        path += " \(word)"
      case .command(let command):
        return try run(command, Array(words.dropFirst(index + 1)), path: "\(path) \(word)", output: output)
      }
    }
    throw Diagnostic.input(
      "a verb is missing; there are \(group.entries.map(\.name).joined(separator: ", "))",
      remedy: "run '\(path) --help'")
  }

  private func entry(named word: String, in group: CommandGroup, path: String) throws -> CommandEntry {
    if let found = group.entries.first(where: { $0.name == word }) { return found }
    let what = word.hasPrefix("-") ? "option" : "verb"
    let nearest = Spelling.nearest(to: word, in: group.entries.map(\.name))
    throw Diagnostic.input(
      "there is no \(what) '\(word)'",
      remedy: nearest.map { "did you mean '\(path) \($0)'?" } ?? "run '\(path) --help' for the list")
  }

  private func run(_ command: any Command, _ words: [String], path: String, output: Output) throws {
    let declaration = command.declaration
    let work: () throws -> Void
    do {
      let parsed = try ParsedWords(words, for: declaration)
      if parsed.wantsHelp { return try output.write(Help.text(for: declaration, path: path)) }
      work = try command.work(Arguments(parsed, for: declaration, output: output))
    } catch var usage as Diagnostic where usage.file == nil {
      let pointer = "'\(path) --help' explains every option"
      usage.remedy = usage.remedy.map { "\($0) (\(pointer))" } ?? pointer
      throw usage
    }
    try work()
  }
}
