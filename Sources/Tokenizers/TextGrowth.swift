import Diagnostics

/// The most bytes that the steps of a tokenizer file may make of a text.
///
/// Steps come from files, and a few of them that each write ten bytes for one would fill any memory. The bound is far
/// above what honest steps do, the largest of which write three bytes for one.
struct TextGrowth: Sendable {
  private let original: Int
  private let limit: Int
  private let field: String

  /// - Parameters:
  ///   - original: Bytes of the text before any step.
  ///   - field: The part of the tokenizer file whose steps these are.
  init(from original: Int, in field: String) {
    self.original = original
    self.field = field
    limit = 16 * min(original, 1 << 40) + 1 << 20
  }

  /// - Throws: a `Diagnostic` of category `input`, without a file, for more bytes than the bound.
  func check(_ count: Int) throws {
    guard count > limit else { return }
    throw Diagnostic.input(
      "makes more than \(limit) bytes of a text of \(original)", field: field,
      remedy: "use a tokenizer whose steps do not write a text anew many times over")
  }
}
