package import Configuration
package import Distillation
import JSON

/// A verb that runs a stage: its table of options, and what it prints of the outcome.
package protocol StageCommand: Command {
  associatedtype Work: Stage

  /// The options that set the stage's keys, in the order of the help.
  var options: [StageOption] { get }

  /// What the options are laid over: nothing, or a file.
  ///
  /// - Throws: a `Diagnostic` where a file does not fit.
  func base(_ arguments: Arguments) throws -> ConfigurationNode

  /// Runs the stage and prints what came of it.
  func run(_ stage: Work, _ arguments: Arguments) throws
}

extension StageCommand {
  package func base(_ arguments: Arguments) throws -> ConfigurationNode {
    ConfigurationNode(.mapping([]), at: StageOption.place)
  }

  /// The options for the verb's declaration, with the stage's defaults.
  var specifications: [ParameterSpecification] {
    let defaults = Self.defaults(options)
    return options.map { option in
      option.specification(defaultText: option.isRequired ? nil : defaults?[option.key].map(Self.text))
    }
  }

  package func work(_ arguments: Arguments) throws -> () throws -> Void {
    let names = FlagNames(options, words: arguments.words)
    let stage = try names.translating { try self.stage(of: arguments) }
    return { try names.translating { try run(stage, arguments) } }
  }

  package func run(_ arguments: Arguments) throws { try work(arguments)() }

  /// The stage that the words describe.
  private func stage(of arguments: Arguments) throws -> Work {
    var node = try base(arguments)
    guard case .mapping(var entries) = node.value else { preconditionFailure("a stage is laid over a mapping") }
    for option in options {
      let words = arguments.words(option.name)
      if words.isEmpty { continue }
      entries.removeAll { $0.key == option.key }
      entries.append(.init(key: option.key, place: StageOption.place, value: try option.node(words)))
    }
    node.value = .mapping(Self.nested(entries))
    return try ConfigurationFile.decode(Work.self, from: node)
  }

  /// The entries with those of dotted keys inside the one that they belong to, whose own value is then a server's address.
  private static func nested(_ entries: [ConfigurationNode.Entry]) -> [ConfigurationNode.Entry] {
    var nested = entries.filter { !$0.key.contains(".") }
    for entry in entries {
      guard let dot = entry.key.firstIndex(of: "."),
        let outer = nested.firstIndex(where: { $0.key == entry.key[..<dot] })
      else { continue }
      var inside: [ConfigurationNode.Entry]
      if case .mapping(let before) = nested[outer].value.value {
        inside = before
      } else {
        inside = [.init(key: "url", place: nested[outer].place, value: nested[outer].value)]
      }
      inside.append(
        .init(key: String(entry.key[entry.key.index(after: dot)...]), place: entry.place, value: entry.value))
      nested[outer].value = ConfigurationNode(.mapping(inside), at: StageOption.place)
    }
    return nested
  }

  // MARK: Defaults

  /// What the stage has for each of its keys where only what is required is given; nil for a stage that needs more than a
  /// command line says, such as a training run.
  private static func defaults(_ options: [StageOption]) -> JSONValue? {
    let entries = options.filter(\.isRequired).map { option in
      ConfigurationNode.Entry(
        key: option.key, place: StageOption.place,
        value: ConfigurationNode(.scalar(option.placeholder, isPlain: false), at: StageOption.place))
    }
    let node = ConfigurationNode(.mapping(entries), at: StageOption.place)
    return try? JSONValue(canonical: ConfigurationFile.decode(Work.self, from: node))
  }

  /// A default as the word that says it.
  private static func text(_ value: JSONValue) -> String {
    if case .double(let number) = value { return number.argumentText }
    return value.stringValue ?? value.text()
  }
}
