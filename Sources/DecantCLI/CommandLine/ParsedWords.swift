import Diagnostics

/// The words of a command line sorted by the parameter they belong to, before they are read as values.
struct ParsedWords {
  /// Stands for a flag that was given.
  private static let yes = "yes"

  private(set) var words: [String: [String]] = [:]
  private(set) var wantsHelp = false
  private var loose: [String] = []

  /// Sorts the words that follow a command's name.
  ///
  /// - Throws: a `Diagnostic` of category `input` for an unknown option, a missing value or a surplus word.
  init(_ line: [String], for declaration: Declaration) throws {
    // Help is wanted wherever it is asked for, also on a line that is wrong otherwise.
    let options = line.prefix { $0 != "--" }
    if options.contains("--help") || options.contains("-h") {
      wantsHelp = true
      return
    }
    var index = 0
    while index < line.count {
      let word = line[index]
      index += 1
      if word == "--" {
        loose += line[index...]
        break
      }
      if word.hasPrefix("-") && word != "-" {
        try take(option: word, next: index < line.count ? line[index] : nil, &index, declaration)
      } else {
        loose.append(word)
      }
    }
    try assignPositionals(declaration)
  }

  private mutating func take(
    option word: String, next: String?, _ index: inout Int, _ declaration: Declaration
  ) throws {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let parameter = try Self.find(parts[0], declaration)
    if parameter.isFlag {
      if parts.count == 2 {
        throw Diagnostic.input("takes no value, but '\(parts[1])' was given", field: parts[0])
      }
      words[parameter.name, default: []].append(Self.yes)
      return
    }
    var value = parts.count == 2 ? parts[1] : nil
    if value == nil, let next, !next.hasPrefix("--") {
      value = next
      index += 1
    }
    guard let value else {
      throw Diagnostic.input(
        "is missing its value", field: parameter.label, remedy: "write \(parameter.label) \(parameter.placeholder)")
    }
    if !parameter.isRepeated, let first = words[parameter.name]?.first {
      throw Diagnostic.input("is given twice, as '\(first)' and '\(value)'", field: parameter.label)
    }
    words[parameter.name, default: []].append(value)
  }

  private static func find(_ word: String, _ declaration: Declaration) throws -> ParameterSpecification {
    if let option = declaration.options.first(where: { word == $0.label }) { return option }
    let known = declaration.options.map(\.label)
    let letters = word.drop { $0 == "-" }
    throw Diagnostic.input(
      "there is no option '\(word)'",
      remedy: Spelling.nearest(to: "--\(letters)", in: known).map { "did you mean \($0)?" })
  }

  private mutating func assignPositionals(_ declaration: Declaration) throws {
    var rest = loose[...]
    for positional in declaration.positionals {
      guard let word = rest.popFirst() else { break }
      words[positional.name] = [word]
    }
    if let surplus = rest.first {
      throw Diagnostic.input("'\(surplus)' is one word too many")
    }
  }
}
