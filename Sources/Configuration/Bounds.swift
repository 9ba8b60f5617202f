import Diagnostics

/// Bounds of what a stage is told, asked in one place for both ways in: `validate()` of a stage and of each of its sections
/// checks the values by these, `init(from:)` calls it through `checked`, which finds the line,
/// and `run()` of a stage calls it for values that were set in code. No number gets past these that later arithmetic could
/// not take.
extension CodingKey {
  /// A value within limits; nil passes.
  ///
  /// - Throws: a `Diagnostic` of category `input` whose field is this key, as all of these do.
  package func check<Value: Comparable>(_ value: Value?, in limits: ClosedRange<Value>) throws {
    guard let value, !limits.contains(value) else { return }
    throw fault("is \(value), but must be from \(limits.lowerBound) to \(limits.upperBound)")
  }

  /// A count of at least one and at most `Limits.count`; nil passes.
  package func checkPositive(_ value: Int?) throws { try check(value, in: 1...Limits.count) }

  /// A count from zero to `Limits.count`.
  package func checkNotNegative(_ value: Int) throws { try check(value, in: 0...Limits.count) }

  /// A number that fp32 holds and that is zero or more.
  package func checkNotNegative(_ value: some BinaryFloatingPoint) throws {
    try checkFinite(value)
    guard value >= 0 else { throw fault("must not be negative, but is \(value)") }
  }

  /// A number above zero.
  package func checkAboveZero(_ value: some BinaryFloatingPoint) throws {
    guard value > 0 else { throw fault("is \(value), but must be above 0.0") }
  }

  /// A number that fp32 holds.
  package func checkFinite(_ value: some BinaryFloatingPoint) throws {
    guard Float(value).isFinite else { throw fault("is \(value), but must be finite in fp32") }
  }

  /// What the checks of a section refuse, by its path: `training.steps` for the key `steps` of this one.
  package func within(_ validate: () throws -> Void) throws {
    do { try validate() } catch var fault as Diagnostic where fault.file == nil {
      fault.field = fault.field.map { "\(stringValue).\($0)" } ?? stringValue
      throw fault
    }
  }

  private func fault(_ message: String) -> Diagnostic { .input(message, field: stringValue) }
}

extension KeyedDecodingContainer {
  /// Runs the checks of a value that has just been decoded, and puts what they refuse to the line of the key they name.
  package func checked(_ validate: () throws -> Void) throws {
    do { try validate() } catch let refused as Diagnostic where refused.file == nil {
      guard let key = refused.field.flatMap(Key.init(stringValue:)) else { throw refused }
      throw fault(key, refused.message, remedy: refused.remedy)
    }
  }
}
