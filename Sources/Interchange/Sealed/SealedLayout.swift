import LogitCache
import SafeTensors
import Sequences
import TeacherSignal

/// The arrays of a sealed file: their names, and how large they are for the samples of a cache.
struct SealedLayout {
  static let format = "decant-sealed/1"
  static let alignment = "next"

  enum Name {
    static let tokens = "token_ids", sampleOffsets = "sample_offsets", positions = "scored_positions"
    static let positionOffsets = "position_offsets", entryOffsets = "entry_offsets", ids = "ids"
    static let logProbs = "logprobs", inclusions = "inclusion_logprobs", tails = "tail_logprob"
    static let targets = "target_logprob", asked = "asked_positions", askedOffsets = "asked_offsets", kinds = "kinds"
    static let columns = "column/"
  }

  /// What a column is in every sample.
  struct ColumnShape: Equatable {
    var name: String
    var extent: Column.Extent
    var width: Int
    var element: Column.Element

    init(_ column: Column) {
      (name, extent, width, element) = (column.name, column.extent, column.width, column.element)
    }
  }

  var samples = 0
  var tokens = 0
  var asked = 0
  var positions = 0
  var entries = 0
  var kinds: [SparseSignal.Kind] = []
  /// Whether a selection kept some of what was asked about, in any sample.
  var isSelected = false
  var columns: [ColumnShape] = []

  /// One array, and what a sample adds to it.
  struct Array {
    var name: String
    var shape: [Int]
    var type: ElementType
    /// A first element before all samples: of offsets.
    var begins = false
    var append: (ScoredSample, inout SealedBytes) -> Void
  }

  var arrays: [Array] {
    var list = [
      Array(name: Name.tokens, shape: [tokens], type: .int32) { $1.append($0.sequence.tokenIDs) },
      Array(name: Name.sampleOffsets, shape: [samples + 1], type: .int64, begins: true) {
        $1.advance($0.sequence.count)
      },
      Array(name: Name.positions, shape: [positions], type: .int32) { $1.append($0.positions.map { Int32($0) }) },
      Array(name: Name.positionOffsets, shape: [samples + 1], type: .int64, begins: true) {
        $1.advance($0.positions.count)
      },
      Array(name: Name.entryOffsets, shape: [positions + 1], type: .int64, begins: true) { sample, bytes in
        for row in 0..<sample.signal.positionCount { bytes.advance(sample.signal.entries(at: row).count) }
      },
      Array(name: Name.ids, shape: [entries], type: .int32) { $1.append($0.signal.ids) },
      Array(name: Name.logProbs, shape: [entries], type: .float32) { $1.append($0.signal.logProbs) },
      Array(name: Name.tails, shape: [positions], type: .float32) { $1.append($0.signal.tailLogProb) },
      Array(name: Name.targets, shape: [positions], type: .float32) { $1.append($0.signal.targetLogProb) },
    ]
    if kinds == [.sample] {
      list.append(
        Array(name: Name.inclusions, shape: [entries], type: .float32) { $1.append($0.signal.inclusionLogProbs) })
    }
    if isSelected {
      list += [
        Array(name: Name.asked, shape: [asked], type: .int32) {
          $1.append($0.sequence.scoredPositions.map { Int32($0) })
        },
        Array(name: Name.askedOffsets, shape: [samples + 1], type: .int64, begins: true) {
          $1.advance($0.sequence.scoredPositions.count)
        },
      ]
    }
    if kinds.count > 1 {
      list.append(
        Array(name: Name.kinds, shape: [samples], type: .uint8) { $1.append(Self.number(of: $0.signal.kind)) })
    }
    for column in columns {
      let rows = column.extent == .position ? positions : samples
      list.append(
        Array(
          name: Name.columns + column.name, shape: column.width == 1 ? [rows] : [rows, column.width], type: .float32
        ) { sample, bytes in bytes.append(sample.columns.first { $0.name == column.name }!.values) })
    }
    return list
  }

  static func number(of kind: SparseSignal.Kind) -> UInt8 { UInt8(SignalCodec.kinds.firstIndex(of: kind)!) }
}

/// Elements on their way to a file, little-endian.
struct SealedBytes {
  var bytes: [UInt8] = []
  private var offset: Int64 = 0

  mutating func append(_ values: [Int32]) { for value in values { append(bits: UInt32(bitPattern: value)) } }
  mutating func append(_ values: [Float]) { for value in values { append(bits: value.bitPattern) } }
  mutating func append(_ value: UInt8) { bytes.append(value) }

  /// Appends an offset so much behind the one before.
  mutating func advance(_ count: Int) {
    offset += Int64(count)
    for shift in stride(from: Int64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: offset >> shift)) }
  }

  private mutating func append(bits: UInt32) {
    for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  }
}
