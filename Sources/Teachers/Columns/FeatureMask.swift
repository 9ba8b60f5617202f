import Diagnostics
import Files
public import Fingerprints
import JSON
public import Models
public import NN
import SafeTensors
public import Tensor

/// What draws a teacher's features toward their means over clean text, after some of its blocks: `(1 - m) f + m mu`, a mask m and a mean
/// mu of every column ("feature de-toxification"; RobustKD, arXiv 2406.03409). With m = 0 features are the teacher's own.
public struct FeatureMask {
  /// What is done after one block.
  public struct Layer {
    /// The block's number, from 0.
    public let block: Int
    /// `[hidden size]`.
    public let means: Tensor
    /// `[hidden size]`, from 0 to 1; trains where the parameter has a gradient.
    public let mask: Parameter

    public init(block: Int, means: Tensor, mask: Parameter) {
      self.block = block
      self.means = means
      self.mask = mask
    }
  }

  /// The teacher that it was made for.
  public let teacher: Fingerprint
  /// In the order of the blocks, none twice.
  public let layers: [Layer]

  /// - Precondition: blocks ascend.
  public init(teacher: Fingerprint, layers: [Layer]) {
    precondition(zip(layers, layers.dropFirst()).allSatisfy { $0.block < $1.block }, "blocks do not ascend")
    self.teacher = teacher
    self.layers = layers
  }

  /// Features after the masks, each in what the next block reads; and what a pass through the model is given for them.
  public var taps: Taps {
    let layers = Dictionary(uniqueKeysWithValues: layers.map { (Tap.block($0.block), $0) })
    return Taps(Set(layers.keys)) { place, features, tape in
      layers[place].map { tape.blend(features, toward: $0.means, by: $0.mask) } ?? features
    }
  }

  // MARK: As a file

  private static let format = "decant-feature-mask/1"

  /// Writes the means and masks, `mean/BLOCK` and `mask/BLOCK` of a safetensors file.
  ///
  /// - Parameter notes: What else its metadata are to say.
  public func write(to path: String, notes: [String: String] = [:]) throws {
    var tensors: [(name: String, shape: [Int], type: ElementType, bytes: UnsafeRawBufferPointer)] = unsafe []
    for layer in layers {
      for (name, tensor) in [("mean", layer.means), ("mask", layer.mask.value)] {
        unsafe tensors.append(
          ("\(name)/\(layer.block)", [tensor.count], .float32, UnsafeRawBufferPointer(tensor.elements)))
      }
    }
    let own = ["format": Self.format, "teacher": "\(teacher)"]
    try unsafe SafeTensorsWriter.write(to: path, tensors: tensors, metadata: notes.merging(own) { $1 })
  }

  /// Reads a mask for a model.
  ///
  /// - Throws: a `Diagnostic` where the file is none, or was made for another model, with both fingerprints.
  public init(path: String, of model: any CausalLanguageModel, _ fingerprint: Fingerprint) throws {
    let file = try SafeTensorsFile(path: path)
    guard file.metadata["format"] == Self.format, let teacher = file.metadata["teacher"].flatMap(Fingerprint.init)
    else {
      throw Diagnostic.input(
        "is no mask of features: its format is \(file.metadata["format"] ?? "not named")", file: path, field: "format",
        remedy: "name a file that decant detoxify wrote")
    }
    guard teacher == fingerprint else {
      throw Diagnostic.input(
        "the mask was made for another teacher: \(teacher) there, \(fingerprint) here", file: path, field: "teacher",
        remedy: "run decant detoxify with this teacher")
    }
    let width = model.configuration.hiddenSize, depth = model.configuration.layerCount
    func row(_ name: String, in bounds: ClosedRange<Float>) throws -> Tensor {
      let storage = Storage(shape: [width])
      guard try file.entry(name).shape == [width] else {
        throw Diagnostic.input(
          "has the shape \(try file.entry(name).shape), expected [\(width)]", file: path, field: name)
      }
      try unsafe file.readFloats(name, into: storage.tensor.elements)
      guard storage.tensor.array().allSatisfy(bounds.contains) else {
        throw Diagnostic.input("holds a number that is not within \(bounds)", file: path, field: name)
      }
      return storage.tensor
    }
    let blocks = (0..<depth).filter { file.tensors["mask/\($0)"] != nil }
    guard !blocks.isEmpty, file.tensors.count == 2 * blocks.count else {
      throw Diagnostic.input(
        "does not have a mean and a mask of each of its blocks, of \(depth)", file: path,
        remedy: "run decant detoxify again")
    }
    let greatest = Float.greatestFiniteMagnitude
    self.init(
      teacher: teacher,
      layers: try blocks.map { block in
        Layer(
          block: block, means: try row("mean/\(block)", in: -greatest...greatest),
          mask: Parameter(name: "mask/\(block)", role: .undecayed, value: try row("mask/\(block)", in: 0...1)))
      })
  }

  /// Of its numbers, whatever else the file says.
  public var fingerprint: Fingerprint {
    var bytes = teacher.bytes
    for layer in layers {
      bytes += Fingerprint(of: "\(layer.block)").bytes
      for tensor in [layer.means, layer.mask.value] {
        bytes += unsafe Fingerprint(of: UnsafeRawBufferPointer(tensor.elements)).bytes
      }
    }
    return Fingerprint(of: bytes)
  }
}
