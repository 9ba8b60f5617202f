import Diagnostics

/// What gives a file away that is no text in UTF-8, where one is wanted.
public enum ForeignContent {
  private struct Mark {
    var bytes: [UInt8]
    var message: String
    var remedy: String
  }

  private static let marks = [
    Mark(
      bytes: [0x1F, 0x8B], message: "is gzip-compressed", remedy: "decompress it (gunzip) and name the file that gives"),
    Mark(bytes: [0x28, 0xB5, 0x2F, 0xFD], message: "is zstd-compressed", remedy: "decompress it (unzstd) first"),
    Mark(bytes: [0xFD] + Array("7zXZ".utf8), message: "is xz-compressed", remedy: "decompress it (unxz) first"),
    Mark(bytes: Array("BZh91AY&SY".utf8), message: "is bzip2-compressed", remedy: "decompress it (bunzip2) first"),
    Mark(bytes: Array("PK\u{3}\u{4}".utf8), message: "is a zip archive", remedy: "extract it (unzip) first"),
    Mark(
      bytes: Array("ARROW1\0".utf8), message: "is an Arrow file",
      remedy: "export it as JSONL, such as with Dataset.to_json of the datasets library"),
    Mark(bytes: [0xFF, 0xFE, 0, 0], message: "is in UTF-32", remedy: "convert it: iconv -f UTF-32 -t UTF-8"),
    Mark(bytes: [0xFF, 0xFE], message: "is in UTF-16", remedy: "convert it: iconv -f UTF-16 -t UTF-8"),
    Mark(bytes: [0xFE, 0xFF], message: "is in UTF-16", remedy: "convert it: iconv -f UTF-16 -t UTF-8"),
  ]

  /// Refuses bytes that begin as a compressed file, a table or a text in UTF-16 does.
  ///
  /// - Throws: a `Diagnostic` of category `input` that says what the file is and how to convert it.
  public static func refuse(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    let parquet = Array("PAR1".utf8)
    // Texts may begin so; a Parquet file ends with its mark as well.
    if unsafe bytes.count >= 8 && bytes.starts(with: parquet) && bytes.suffix(4).elementsEqual(parquet) {
      throw Diagnostic.input(
        "is a Parquet file", file: file,
        remedy: "export it as JSONL, such as with Dataset.to_json of the datasets library")
    }
    for mark in marks where unsafe bytes.starts(with: mark.bytes) {
      throw Diagnostic.input(mark.message, file: file, remedy: mark.remedy)
    }
    // ASCII without a mark: every second byte is zero.
    let zeros = unsafe bytes.prefix(4).map { $0 == 0 }
    if zeros == [true, false, true, false] || zeros == [false, true, false, true] {
      throw Diagnostic.input(
        "seems to be in UTF-16", file: file, remedy: "convert it: iconv -f UTF-16 -t UTF-8, with LE or BE behind the 16"
      )
    }
  }

  /// As ``refuse(_:file:)-(UnsafeRawBufferPointer,_)`` over an array.
  public static func refuse(_ bytes: [UInt8], file: String) throws {
    try unsafe bytes.withUnsafeBytes { buffer in try unsafe refuse(buffer, file: file) }
  }
}
