/// A verb: a value that declares its parameters and runs on what was given for them.
///
/// ```swift
/// struct CacheInfo: Command {
///   let folder = Parameter<String>.positional("DIR", "The cache.")
///   let json = Parameter<Bool>.json
///   var declaration: Declaration {
///     Declaration(
///       "info", "say what a cache holds", parameters: [folder.specification, json.specification],
///       examples: [Example("decant cache info cache/", "how many samples and bytes, made by which teacher")])
///   }
///   func run(_ arguments: Arguments) throws { ... arguments[folder] ... }
/// }
/// ```
package protocol Command: Sendable {
  var declaration: Declaration { get }

  /// Does the work.
  ///
  /// - Throws: a `Diagnostic`; the program prints it and ends with its exit status.
  func run(_ arguments: Arguments) throws

  /// What is to be done by the arguments: for a verb that reads more out of them than their types say, before it does
  /// anything.
  ///
  /// - Throws: a `Diagnostic` where they do not fit.
  func work(_ arguments: Arguments) throws -> () throws -> Void
}

extension Command {
  package func work(_ arguments: Arguments) throws -> () throws -> Void { { try run(arguments) } }
}

/// What a command is called and takes.
package struct Declaration: Sendable {
  package var name: String
  /// What it does, as a phrase without a period that fits on a line of the list of verbs.
  package var summary: String
  /// Paragraphs for the help, divided by blank lines; single line breaks are rewrapped.
  package var discussion: String
  /// Positionals in their order, options and flags in the order of the help.
  package var parameters: [ParameterSpecification]
  package var examples: [Example]

  package init(
    _ name: String, _ summary: String, discussion: String = "", parameters: [ParameterSpecification],
    examples: [Example]
  ) {
    self.name = name
    self.summary = summary
    self.discussion = discussion
    self.parameters = parameters
    self.examples = examples
  }

  package var positionals: [ParameterSpecification] { parameters.filter { $0.kind == .positional } }
  package var options: [ParameterSpecification] { parameters.filter { $0.kind != .positional } }
}

/// A command line to copy, and what it does.
package struct Example: Sendable {
  package var line: String
  package var does: String

  package init(_ line: String, _ does: String) {
    self.line = line
    self.does = does
  }
}

/// A name that leads to further commands, such as `cache` to `info` and `verify`.
package struct CommandGroup: Sendable {
  package var name: String
  package var summary: String
  package var discussion: String
  package var entries: [CommandEntry]

  package init(_ name: String, _ summary: String, discussion: String = "", _ entries: [CommandEntry]) {
    self.name = name
    self.summary = summary
    self.discussion = discussion
    self.entries = entries
  }
}

/// A node of the tree of verbs.
package enum CommandEntry: Sendable {
  case command(any Command)
  indirect case group(CommandGroup)

  package var name: String {
    switch self {
    case .command(let command): command.declaration.name
    case .group(let group): group.name
    }
  }

  package var summary: String {
    switch self {
    case .command(let command): command.declaration.summary
    case .group(let group): group.summary
    }
  }
}
