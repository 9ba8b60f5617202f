import Configuration
package import Diagnostics

/// Puts the flags of the command line in place of the keys that messages of the library speak of: the one place that knows
/// both.
///
/// The library names a value by its key: as the field of a diagnostic, and in a remedy between backticks (`` `output` ``)
/// or as a word with an underscore (`max_length`).
package struct FlagNames: Sendable {
  private let options: [StageOption]
  /// What was given for an option, by its name.
  private let words: @Sendable (_ name: String) -> [String]
  /// Options of other verbs, which a remedy may send to.
  private let others: [StageOption]

  /// - Parameter others: Options of other verbs.
  package init(
    _ options: [StageOption], others: [StageOption] = Decant.stageCommands.flatMap { $0.options },
    words: @escaping @Sendable (_ name: String) -> [String]
  ) {
    self.options = options
    self.others = others
    self.words = words
  }

  /// What `body` gives; diagnostics that it throws, with flags for keys.
  func translating<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let diagnostic as Diagnostic { throw translated(diagnostic) }
  }

  package func translated(_ diagnostic: Diagnostic) -> Diagnostic {
    var copy = diagnostic
    // What was read of the words stands in no file.
    if copy.file == StageOption.place.file { copy.file = nil }
    copy.field = copy.field.map { translated(field: $0, of: copy.file) }
    copy.remedy = copy.remedy.map(translated(remedy:))
    return copy
  }

  private func translated(field: String, of file: String?) -> String {
    let named = options.first { field == $0.key }
    guard let option = named ?? options.first(where: { file == nil && field.hasPrefix("\($0.key).") }) else {
      return field
    }
    let isMeant = file == nil || !option.isPlace || words(option.name).last == file
    return isMeant ? option.label : field
  }

  private func translated(remedy: String) -> String {
    remedy.split(separator: " ", omittingEmptySubsequences: false).map(translated(word:)).joined(separator: " ")
  }

  /// A word with what surrounds it; a path, which may have any name in it, is one word and no key.
  private func translated(word: Substring) -> String {
    let opening = word.prefix { $0 == "(" }
    var key = word.dropFirst(opening.count)
    while let last = key.last, ",;:).".contains(last) { key = key.dropLast() }
    let closing = word[key.endIndex...]
    let isQuoted = key.count > 2 && key.first == "`" && key.last == "`"
    guard isQuoted || key.contains("_") else { return String(word) }
    let known = isQuoted ? options + others : options
    if isQuoted { key = key.dropFirst().dropLast() }
    guard let option = known.first(where: { $0.key == key }) else { return String(word) }
    return "\(opening)\(option.label)\(closing)"
  }
}
