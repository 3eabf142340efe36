#include "mindir_header.h"

#include <algorithm>
#include <fstream>

namespace cpp_infer {
namespace {

// Fields of the protobuf messages of mind_ir.proto, by their numbers there.
constexpr int kProducerVersion = 3, kGraph = 7, kMindIrVersion = 13;  // Of ModelProto.
constexpr int kInput = 5;                                             // Of GraphProto.
constexpr int kTensor = 2;                                            // Of ValueInfoProto.
constexpr int kDims = 1;                                              // Of TensorProto.

constexpr std::uint64_t kLongestText = 1000;  // Of a version.
constexpr std::size_t kMostLengths = 16;      // Of a shape.

// Reads the fields of a message one after the other; long ones are passed over without being read.
class Message {
 public:
  Message(std::istream& file, std::uint64_t end) : file_(file), end_(end) {}

  // Goes to the next field. Returns false at the end of the message; is_bad() says whether it ends where it has to.
  bool Next() {
    if (is_open_ && !is_bad_) {
      Seek(field_end_);
    }
    if (is_bad_ || Position() == end_) {
      return false;
    }
    const std::uint64_t tag = Varint();
    number_ = static_cast<int>(tag >> 3U);
    wire_type_ = static_cast<int>(tag & 7U);
    is_open_ = true;
    ReadExtent();
    return !is_bad_;
  }

  int number() const { return number_; }
  bool is_bad() const { return is_bad_; }
  std::uint64_t value() const { return value_; }  // Of a number.
  bool is_nested() const { return wire_type_ == kLengthDelimited; }
  std::uint64_t field_end() const { return field_end_; }

  std::string Text() {
    std::string text(std::min(field_end_ - Position(), kLongestText), '\0');
    file_.read(text.data(), static_cast<std::streamsize>(text.size()));
    return text;
  }

  // Whole numbers of a repeated field, packed or one at a time.
  void AppendNumbers(std::vector<std::int64_t>& numbers) {
    if (!is_nested()) {
      numbers.push_back(static_cast<std::int64_t>(value_));
      return;
    }
    while (!is_bad_ && Position() < field_end_ && numbers.size() < kMostLengths) {
      numbers.push_back(static_cast<std::int64_t>(Varint()));
    }
  }

  void Fail() { is_bad_ = true; }

 private:
  static constexpr int kNumber = 0, kEightBytes = 1, kLengthDelimited = 2, kFourBytes = 5;

  std::uint64_t Position() { return static_cast<std::uint64_t>(static_cast<std::streamoff>(file_.tellg())); }

  void Seek(std::uint64_t position) {
    if (position > end_) {
      Fail();
      return;
    }
    file_.seekg(static_cast<std::streamoff>(position));
  }

  std::uint64_t Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const int byte = file_.get();
      if (byte < 0 || Position() > end_) {
        break;
      }
      value |= static_cast<std::uint64_t>(static_cast<unsigned>(byte) & 0x7FU) << shift;
      if ((static_cast<unsigned>(byte) & 0x80U) == 0) {
        return value;
      }
    }
    Fail();
    return 0;
  }

  void ReadExtent() {
    if (wire_type_ == kNumber) {
      value_ = Varint();
      field_end_ = is_bad_ ? end_ : Position();
    } else if (wire_type_ == kLengthDelimited) {
      const std::uint64_t length = Varint();
      field_end_ = is_bad_ || length > end_ - Position() ? end_ + 1 : Position() + length;
    } else {
      field_end_ = Position() + (wire_type_ == kEightBytes ? 8 : 4);
      is_bad_ = is_bad_ || (wire_type_ != kEightBytes && wire_type_ != kFourBytes);
    }
    is_bad_ = is_bad_ || field_end_ > end_ || number_ == 0;
  }

  std::istream& file_;
  const std::uint64_t end_;
  int number_ = 0;
  int wire_type_ = 0;
  std::uint64_t value_ = 0;
  std::uint64_t field_end_ = 0;
  bool is_open_ = false;
  bool is_bad_ = false;
};

std::vector<std::int64_t> ReadDims(std::istream& file, Message& tensor) {
  Message fields(file, tensor.field_end());
  std::vector<std::int64_t> dims;
  while (fields.Next()) {
    if (fields.number() == kDims) {
      fields.AppendNumbers(dims);
    }
  }
  if (fields.is_bad()) {
    tensor.Fail();
  }
  return dims;
}

void ReadInput(std::istream& file, Message& input, MindIrHeader& header) {
  Message fields(file, input.field_end());
  while (fields.Next()) {
    if (fields.number() == kTensor && fields.is_nested()) {
      header.input_shapes.push_back(ReadDims(file, fields));
      break;
    }
  }
  if (fields.is_bad()) {
    input.Fail();
  }
}

void ReadGraph(std::istream& file, Message& graph, MindIrHeader& header) {
  Message fields(file, graph.field_end());
  while (fields.Next()) {
    if (fields.number() == kInput && fields.is_nested()) {
      ReadInput(file, fields, header);
    }
  }
  if (fields.is_bad()) {
    graph.Fail();
  }
}

}  // namespace

std::optional<MindIrHeader> ReadMindIrHeader(const std::filesystem::path& path) {
  std::error_code failed;
  const std::uintmax_t size = std::filesystem::file_size(path, failed);
  std::ifstream file(path, std::ios::binary);
  if (failed || size == 0 || !file) {
    return std::nullopt;
  }
  MindIrHeader header;
  Message model(file, size);
  bool has_graph = false;
  while (model.Next()) {
    if (model.number() == kProducerVersion && model.is_nested()) {
      header.producer_version = model.Text();
    } else if (model.number() == kMindIrVersion) {
      header.version = static_cast<std::int64_t>(model.value());
    } else if (model.number() == kGraph && model.is_nested()) {
      ReadGraph(file, model, header);
      has_graph = true;
    }
  }
  return model.is_bad() || !has_graph ? std::nullopt : std::optional(header);
}

}  // namespace cpp_infer
