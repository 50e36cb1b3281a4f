#include "photo.h"

#include <string.h>

namespace camd {
namespace {

const char* const kTriggers[] = {"timer", "motion", "snap", "boot"};
const char kEnding[] = ".jpg";

// The part of `*rest` before the next dash, taken off its front.
Text take_field(Text* rest) {
  const void* dash = memchr(rest->data, '-', rest->size);
  size_t size = dash == nullptr ? rest->size : size_t(static_cast<const char*>(dash) - rest->data);
  Text field(rest->data, size);
  *rest = rest->from(dash == nullptr ? size : size + 1);
  return field;
}

bool parse_padded(Text field, uint32_t* value) {
  if (field.size != 10) return false;
  while (field.size > 1 && field.data[0] == '0') field = field.from(1);
  uint64_t wide;
  if (!parse_count(field, UINT32_MAX, &wide)) return false;
  *value = uint32_t(wide);
  return true;
}

}  // namespace

const char* trigger_name(Trigger trigger) { return kTriggers[size_t(trigger)]; }

PhotoName photo_name(const Photo& photo) {
  PhotoName name;
  Writer out(name.text, sizeof name.text);
  out.padded(photo.serial).text("-").hex64(photo.boot).text("-").padded(photo.seq).text("-");
  if (photo.undated) out.text("u");
  out.count(photo.when).text("-").text(trigger_name(photo.trigger)).text("-");
  out.count(photo.size).text("-").hex32(photo.crc).text(kEnding);
  out.c_str();
  return name;
}

bool parse_photo_name(Text name, Photo* photo) {
  const Text ending = kEnding;
  if (name.size <= ending.size || name.from(name.size - ending.size) != ending) return false;
  name = Text(name.data, name.size - ending.size);
  *photo = Photo();
  if (!parse_padded(take_field(&name), &photo->serial)) return false;
  if (!parse_hex64(take_field(&name), &photo->boot)) return false;
  if (!parse_padded(take_field(&name), &photo->seq) || photo->seq == 0) return false;
  Text when = take_field(&name);
  photo->undated = when.starts_with("u");
  if (photo->undated) when = when.from(1);
  if (!parse_count(when, UINT64_MAX, &photo->when)) return false;
  Text trigger = take_field(&name);
  size_t index = 0;
  while (index < 4 && trigger != kTriggers[index]) ++index;
  if (index == 4) return false;
  photo->trigger = Trigger(index);
  uint64_t size;
  if (!parse_count(take_field(&name), UINT32_MAX, &size) || size == 0) return false;
  photo->size = uint32_t(size);
  return parse_hex32(take_field(&name), &photo->crc) && name.empty();
}

}  // namespace camd
