import Files
package import Fingerprints
package import LogitCache
import Models
package import Provenance
package import Samples
import TeacherSignal
package import Teachers
package import Tokenizers

extension Provenance {
  /// Adds a cache by what made it: its samples are named by content, so this says everything of those that are found.
  package mutating func pin(_ name: String, cache manifest: CacheManifest, place: String) {
    pin(
      name,
      "teacher \(manifest.teacher), \(manifest.precision), tokenizer \(manifest.tokenizer), "
        + "\(manifest.codec.identifier), top-k \(manifest.topK), vocabulary \(manifest.vocabularySize)"
        + manifest.columnDeclarations.map { ", \($0.identity)" }.joined(), place: place)
  }

  /// Adds what every result over rows is made from: a model, the files, the tokenizer, and the samples that these make.
  package mutating func pin(
    model fingerprint: Fingerprint, of place: String, data files: DataFiles, _ tokenizer: TokenizerBundle,
    _ samples: SampleIndex
  ) throws {
    pin("model", fingerprint, place: place)
    try pin("data", files: files)
    pin("tokenizer", tokenizer.fingerprint, place: tokenizer.directory)
    pin("samples", samples.fingerprint)
    if let chat = samples.chat { pin(chat: chat) }
  }

  /// The name of the part that says what a chat template took for the present.
  static var date: String { "date" }

  /// Adds a chat template by its content, and the date by itself where it asks for one.
  package mutating func pin(chat: ChatTemplate) {
    pin("chat_template", chat.fingerprint, place: chat.place)
    if let date = chat.date { pin(Self.date, date) }
  }

  /// Adds files of rows by their bytes, where all of them are there.
  package mutating func pinIfThere(_ name: String, rows files: DataFiles) throws {
    guard let paths = try? files.paths(), paths.allSatisfy(File.exists) else { return }
    try pin(name, files: files)
  }

  /// Adds a model's folder by the files that a model is read from, where it is there.
  package mutating func pinIfThere(_ name: String, model: String) throws {
    guard let folder = try? ModelStore.resolve(model) else { return }
    pin(name, try Fingerprint(ofModelFolder: folder), place: folder)
  }

  /// Adds a teacher: a model by its files, where they are there; of a server what it is asked as, since only an answer tells
  /// who it is, and the tokenizer's folder.
  package mutating func pinIfThere(_ name: String, _ teacher: TeacherSource) throws {
    switch teacher {
    case .model(let model): try pinIfThere(name, model: model)
    case .served(let settings):
      pin(name, "served \(settings.name ?? "-") \(settings.model ?? "-")", place: settings.url)
      if let folder = try? ModelStore.resolve(settings.tokenizer), Tokenizer.isThere(folder) {
        let tokenizer = try TokenizerBundle(directory: folder)
        pin("\(name).tokenizer", tokenizer.fingerprint, place: folder)
      }
    }
  }

  /// Adds a cache by what made it, where it is there.
  package mutating func pinIfThere(_ name: String, cache folder: String) throws {
    guard LogitCache.isThere(folder) else { return }
    pin(name, cache: try CacheManifest(directory: folder), place: folder)
  }
}
