// swift-tools-version: 6.3
import Foundation
import PackageDescription

// The rooms, from the bottom of the house to the top. A room may import only the rooms it names here, and may name only
// rooms listed above it: arrows point down. SwiftPM does not enforce that, so `scripts/check-arrows` reads this table
// (one room a line, its arrows after the colon) and runs with the tests.
let rooms = """
  Diagnostics:
  Files: CZlib CZstd Diagnostics
  Fingerprints: CXXHash
  RandomStreams:
  Threads: Diagnostics
  HTTP: CCurl Diagnostics
  Sequences: Fingerprints Diagnostics
  JSON: CSimdJSON Fingerprints Diagnostics
  Jinja: JSON Diagnostics
  Configuration: CYAML Diagnostics Files JSON
  LMDB: CLMDB Diagnostics Files
  SafeTensors: Diagnostics Files JSON
  GGUF: SafeTensors JSON Diagnostics Files
  Telemetry: Diagnostics Files JSON
  Provenance: Fingerprints JSON Files Telemetry Diagnostics
  Tokenizers: CPCRE2 CUTF8Proc GGUF Fingerprints Diagnostics Files JSON
  Tensor: CKernels COpenBLAS COneDNN RandomStreams Files Diagnostics
  NN: Tensor RandomStreams
  Optimizers: Tensor CKernels
  TeacherSignal: Sequences Fingerprints Diagnostics
  Divergences: TeacherSignal Tensor CKernels Diagnostics
  Models: Sequences NN Tensor RandomStreams SafeTensors GGUF JSON Files Fingerprints Diagnostics
  Generation: CKernels Sequences Models NN Tensor RandomStreams Diagnostics
  Samples: LMDB Provenance Sequences Tokenizers Jinja JSON Files Fingerprints Diagnostics
  LogitCache: LMDB TeacherSignal Sequences JSON Files Fingerprints Diagnostics
  Replay: LMDB TeacherSignal Sequences JSON Files Fingerprints Diagnostics
  Interchange: Threads LogitCache TeacherSignal Sequences SafeTensors JSON Files Fingerprints Diagnostics
  SyntheticData: Tokenizers JSON Files RandomStreams Diagnostics
  Teachers: HTTP Threads Interchange Telemetry SafeTensors JSON Configuration Files Sequences LogitCache Models Divergences TeacherSignal Tokenizers NN Tensor Fingerprints Diagnostics
  Methods: Teachers Models Divergences Sequences TeacherSignal NN Tensor Configuration RandomStreams Diagnostics
  Evaluation: Teachers TeacherSignal Sequences Models Generation Divergences Tensor Tokenizers Samples RandomStreams JSON Diagnostics
  Training: Methods Teachers Evaluation Generation Models Optimizers NN Tensor Replay TeacherSignal Sequences Samples Tokenizers SafeTensors Provenance Configuration Telemetry RandomStreams Fingerprints JSON Files Diagnostics
  Distillation: Interchange Threads Training Methods Teachers Evaluation SyntheticData Divergences Models Generation Optimizers NN Tensor Tokenizers Samples LogitCache Replay TeacherSignal Sequences SafeTensors Provenance Configuration Telemetry RandomStreams Fingerprints JSON Files Diagnostics
  Pipelines: Distillation Provenance Configuration Telemetry Fingerprints JSON Files Diagnostics
  DecantCLI: Interchange Pipelines Distillation Training Evaluation TeacherSignal Samples LogitCache Replay Configuration Telemetry Fingerprints JSON Files Diagnostics
  decant: DecantCLI
  proofs: Distillation Training Evaluation Methods Teachers Generation Models Divergences NN Optimizers Tensor LogitCache TeacherSignal Sequences Samples Tokenizers Configuration Telemetry RandomStreams JSON Files Diagnostics
  bench: Interchange Threads Sequences Training Methods Teachers Models Generation Divergences TeacherSignal Tensor Optimizers Tokenizers Samples LogitCache Telemetry RandomStreams Fingerprints Jinja JSON Files Diagnostics
  """

/// What tests of a room need beside the room's own arrows.
let testArrows = [
  "Sequences": ["RandomStreams"],
  "JSON": ["RandomStreams"],
  "HTTP": ["LoopbackServer", "Threads"],
  "Configuration": ["RandomStreams"],
  "Tokenizers": ["RandomStreams"],
  "Optimizers": ["RandomStreams"],
  "TeacherSignal": ["RandomStreams"],
  "Divergences": ["Files", "JSON", "RandomStreams"],
  "Models": ["Tokenizers", "Optimizers"],
  "Methods": ["Files", "JSON", "SafeTensors", "Fingerprints"],
  "Generation": ["Files", "JSON", "Tokenizers"],
  "Interchange": ["RandomStreams"],
  "LogitCache": ["RandomStreams"],
  "Replay": ["RandomStreams"],
  "Teachers": ["RandomStreams", "LoopbackServer"],
  "Evaluation": ["Files"],
  "Training": ["Divergences"],
  "Distillation": ["LoopbackServer"],
  "DecantCLI": ["RandomStreams", "Tensor", "SafeTensors", "Tokenizers", "Models", "Teachers", "LoopbackServer"],
]

/// Strictness in one list, for every Swift target.
let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

/// System libraries (name, Debian package).
let systemLibraries = [
  "CLMDB": "liblmdb-dev", "CYAML": "libyaml-dev", "CPCRE2": "libpcre2-dev", "CXXHash": "libxxhash-dev",
  "CZlib": "zlib1g-dev", "CZstd": "libzstd-dev", "CUTF8Proc": "libutf8proc-dev",
]
let executables: Set = ["decant", "proofs", "bench"]

struct Room {
  var name: String
  var arrows: [String]

  init(line: Substring) {
    let parts = line.split(separator: ":", omittingEmptySubsequences: false)
    name = parts[0].filter { $0 != " " }
    arrows = parts[1].split(separator: " ").map(String.init)
  }

  /// Rooms whose tests need models and data on disk.
  static let withFixtures: Set = ["Training", "Distillation", "Pipelines", "DecantCLI"]

  var dependencies: [Target.Dependency] {
    // The benchmarks of what speaks to servers bring their own.
    (arrows + (name == "bench" ? ["LoopbackServer"] : [])).map { .init(stringLiteral: $0) }
  }

  var target: Target {
    executables.contains(name)
      ? .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
      : .target(name: name, dependencies: dependencies, swiftSettings: strict)
  }

  var tests: Target {
    let folder = "\(Context.packageDirectory)/Tests/\(name)Tests"
    return .testTarget(
      name: "\(name)Tests",
      dependencies: dependencies + (testArrows[name] ?? []).map { .init(stringLiteral: $0) }
        + [.init(stringLiteral: name), "TestSupport"] + (Self.withFixtures.contains(name) ? ["Fixtures"] : []),
      // What tests read at run time, found through #filePath.
      exclude: ["Golden", "Snapshots"].filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)") },
      swiftSettings: strict)
  }
}

let all = rooms.split(separator: "\n").map(Room.init)
let libraries = all.filter { !executables.contains($0.name) }

let package = Package(
  name: "decant",
  products: [
    .executable(name: "decant", targets: ["decant"]),
    .library(name: "Decant", targets: libraries.map(\.name)),
  ],
  targets: systemLibraries.map { .systemLibrary(name: $0, providers: [.apt([$1])]) }
    + [
      .target(
        name: "CKernels", cSettings: [.unsafeFlags(["-O3", "-fno-math-errno"])], linkerSettings: [.linkedLibrary("m")]),
      .target(
        name: "CSimdJSON", cxxSettings: [.unsafeFlags(["-O3", "-DNDEBUG"])],
        linkerSettings: [.linkedLibrary("simdjson")]),
      .target(name: "COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
      .target(name: "COneDNN", linkerSettings: [.linkedLibrary("dl")]),
      .target(name: "CCurl", linkerSettings: [.linkedLibrary("dl")]),
    ]
    + all.map(\.target)
    + [
      .target(
        name: "TestSupport",
        dependencies: [
          "Diagnostics", "JSON", "RandomStreams", "Files", "Sequences", "TeacherSignal", "CZlib", "CZstd",
        ],
        path: "Tests/TestSupport", swiftSettings: strict),
      .target(
        name: "LoopbackServer", dependencies: ["Threads", "JSON"], path: "Tests/LoopbackServer", swiftSettings: strict),
      .target(
        name: "Fixtures", dependencies: ["TestSupport", "Files", "JSON", "Models", "RandomStreams", "Tokenizers"],
        path: "Tests/Fixtures", swiftSettings: strict),
    ]
    + libraries.map(\.tests),
  cxxLanguageStandard: .cxx17
)
