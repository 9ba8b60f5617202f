import Configuration
import Diagnostics

/// An option of a verb that sets a key of its stage: a row of the verb's table.
///
/// What is a fitting value, and what it is where none is given, the stage alone knows: the words become a
/// `ConfigurationNode`, which is decoded as a pipeline file is.
package struct StageOption: Sendable {
  /// How a word is written into the node.
  enum Reading: Sendable, Equatable {
    /// A text, whatever it looks like: a path, a token.
    case text
    /// A number or one of several words, as without quotes in a file.
    case plain
    /// `NAME=VALUE`, any number of times: a mapping.
    ///
    /// - Parameter isPlain: Whether a value is a number or a word that stands for itself, as without quotes in a file.
    case pairs(isPlain: Bool)
    /// No word at all: true where it is given.
    case flag
  }

  /// The long name without dashes.
  package var name: String
  /// The stage's key; names are keys with dashes in place of underscores, but for few.
  package var key: String
  var reading: Reading
  /// What stands for the value in the help.
  var placeholder: String
  var help: String
  /// What happens where it is left out, for the help, where the stage has no default to name.
  var without: String?
  package var isRequired: Bool
  /// True for a file or folder of its own: a message about a field of a file never means this option by its key, since files
  /// have fields of such names too.
  var isPlace: Bool

  private init(
    _ name: String, key: String? = nil, _ reading: Reading, _ placeholder: String, _ help: String,
    without: String? = nil, isRequired: Bool = false, isPlace: Bool = false
  ) {
    self.name = name
    self.key = key ?? name.replacing("-", with: "_")
    self.reading = reading
    self.placeholder = placeholder
    self.help = help
    self.without = without
    self.isRequired = isRequired
    self.isPlace = isPlace
  }

  /// `--name PATH` that must be given.
  static func required(_ name: String, _ placeholder: String, _ help: String) -> StageOption {
    StageOption(name, .text, placeholder, help, isRequired: true, isPlace: true)
  }

  /// `--name PATH` that may be left out.
  static func place(_ name: String, _ placeholder: String, without: String, _ help: String) -> StageOption {
    StageOption(name, .text, placeholder, help, without: without, isPlace: true)
  }

  /// `--name TEXT` that may be left out.
  static func text(_ name: String, _ placeholder: String, without: String, _ help: String) -> StageOption {
    StageOption(name, .text, placeholder, help, without: without)
  }

  /// `--name VALUE` for a number or one of several words.
  static func plain(_ name: String, _ placeholder: String, without: String? = nil, _ help: String) -> StageOption {
    StageOption(name, .plain, placeholder, help, without: without)
  }

  /// `--name VALUE` for a key within that of another option: the value given for that one becomes `url` beside it.
  static func within(
    _ outer: String, _ name: String, key: String? = nil, _ reading: Reading, _ placeholder: String, without: String,
    _ help: String
  ) -> StageOption {
    StageOption(
      name, key: "\(outer).\(key ?? name.replacing("-", with: "_"))", reading, placeholder, help, without: without)
  }

  /// `--name NAME=VALUE`, any number of times.
  ///
  /// - Parameter isPlain: Whether values are numbers, truth values or texts, not texts alone.
  static func pairs(
    _ name: String, key: String, isPlain: Bool = false, _ placeholder: String, _ help: String
  ) -> StageOption {
    StageOption(name, key: key, .pairs(isPlain: isPlain), placeholder, help)
  }

  private var isRepeated: Bool { if case .pairs = reading { true } else { false } }

  /// `--name`: true where it is given.
  static func flag(_ name: String, _ help: String) -> StageOption { StageOption(name, .flag, "", help) }

  var label: String { "--\(name)" }

  /// Where nodes made of words stand: in no file.
  static let place = ConfigurationNode.Place(file: "", line: nil)

  /// The option for the parser and the help.
  ///
  /// - Parameter defaultText: The stage's own default, nil where it has none.
  func specification(defaultText: String?) -> ParameterSpecification {
    ParameterSpecification(
      name: name, kind: reading == .flag ? .flag : .option, placeholder: placeholder, help: help,
      defaultText: reading == .flag || isRepeated ? nil : defaultText ?? without, isRequired: isRequired,
      isRepeated: isRepeated, read: { $0 })
  }

  /// The words that were given, at least one, as the value of the key.
  ///
  /// - Throws: a `Diagnostic` of category `input` for words that say nothing.
  func node(_ words: [String]) throws -> ConfigurationNode {
    func scalar(_ word: String, isPlain: Bool) -> ConfigurationNode {
      ConfigurationNode(.scalar(word, isPlain: isPlain), at: Self.place)
    }
    switch reading {
    case .text: return scalar(words[0], isPlain: false)
    case .flag: return scalar("true", isPlain: true)
    case .plain:
      let node = scalar(words[0], isPlain: true)
      // Else it would stand for nothing having been given.
      guard !node.isNull else { throw Diagnostic.input("'\(words[0])' is no value", field: key) }
      return node
    case .pairs(let isPlain):
      var entries: [ConfigurationNode.Entry] = []
      for word in words {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
          throw Diagnostic.input(
            "'\(word)' is not \(placeholder)", field: key,
            remedy: "write for instance \(label) \(isPlain ? "enable_thinking=false" : "prompt=question")")
        }
        entries.removeAll { $0.key == parts[0] }
        entries.append(
          .init(key: parts[0], place: Self.place, value: scalar(parts[1], isPlain: isPlain)))
      }
      return ConfigurationNode(.mapping(entries), at: Self.place)
    }
  }
}
