/// A name that a file gives, or one along a path that no type declares, as a key.
package struct EntryName: CodingKey {
  package var stringValue: String
  package var intValue: Int? { nil }

  package init(stringValue: String) { self.stringValue = stringValue }
  package init?(intValue: Int) { nil }
}
