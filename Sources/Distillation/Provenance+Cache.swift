package import LogitCache
package import Provenance
import TeacherSignal

extension Provenance {
  /// Adds a cache by what made it: its samples are named by content, so this says everything of those that are found.
  package mutating func pin(_ name: String, cache manifest: CacheManifest, place: String) {
    pin(
      name,
      "teacher \(manifest.teacher), \(manifest.precision), tokenizer \(manifest.tokenizer), "
        + "\(manifest.codec.identifier), top-k \(manifest.topK), vocabulary \(manifest.vocabularySize)", place: place)
  }
}
