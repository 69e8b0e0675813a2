package org.cnnkeras.demo.image

/**
 * Returns whether a PNG, JPEG or WebP file is truncated; false for other file types.
 *
 * Android's decoder fills the missing part of a truncated image with gray or transparent pixels,
 * which the network would then classify.
 */
fun isTruncated(bytes: ByteArray): Boolean = when {
    bytes.startsWith(JPEG_SIGNATURE) -> isJpegTruncated(bytes)
    bytes.startsWith(PNG_SIGNATURE) -> isPngTruncated(bytes)
    bytes.startsWith(RIFF) && bytes.startsWith(WEBP, at = 8) -> isRiffTruncated(bytes)
    else -> false
}

private val JPEG_SIGNATURE = byteArrayOf(0xFF.toByte(), 0xD8.toByte())
private val PNG_SIGNATURE = "\u0089PNG\r\n\u001A\n".toByteArray(Charsets.ISO_8859_1)
private val RIFF = "RIFF".toByteArray(Charsets.US_ASCII)
private val WEBP = "WEBP".toByteArray(Charsets.US_ASCII)
private val PNG_END = "IEND".toByteArray(Charsets.US_ASCII)

private const val END_OF_IMAGE = 0xD9
private const val START_OF_SCAN = 0xDA
private val RESTART_MARKERS = 0xD0..0xD7

/**
 * Follows the markers to the end of the image; ignores data behind it, which some cameras append.
 *
 * Reference: ITU-T T.81, annex B.
 */
private fun isJpegTruncated(bytes: ByteArray): Boolean {
    var at = 2
    while (at + 1 < bytes.size) {
        val marker = bytes.unsigned(at + 1)
        when {
            bytes.unsigned(at) != 0xFF -> return false // corrupt, which the decoder reports
            marker == 0xFF -> at += 1 // padding
            marker == END_OF_IMAGE -> return false
            at + 3 >= bytes.size -> return true
            else -> {
                at += 2 + bytes.bigEndian16(at + 2)
                if (marker == START_OF_SCAN) at = endOfScan(bytes, at)
            }
        }
    }
    return true
}

/** Returns the position of the marker that ends the scan; the file size if there is none. */
private fun endOfScan(bytes: ByteArray, start: Int): Int {
    var at = start
    while (at + 1 < bytes.size) {
        if (bytes.unsigned(at) == 0xFF) {
            val next = bytes.unsigned(at + 1)
            if (next != 0 && next != 0xFF && next !in RESTART_MARKERS) return at
        }
        at++
    }
    return bytes.size
}

/** Reference: Portable Network Graphics (PNG) Specification, W3C, section 5.3, "Chunk layout". */
private fun isPngTruncated(bytes: ByteArray): Boolean {
    var at = PNG_SIGNATURE.size.toLong()
    while (at + 12 <= bytes.size) {
        if (bytes.startsWith(PNG_END, at.toInt() + 4)) return false
        at += 12 + bytes.bigEndian32(at.toInt())
    }
    return true
}

/** Reference: RFC 9649, WebP Image Format, section 2.4, "WebP File Header". */
private fun isRiffTruncated(bytes: ByteArray): Boolean = bytes.size < 8 + bytes.littleEndian32(4)

private fun ByteArray.startsWith(prefix: ByteArray, at: Int = 0): Boolean =
    size >= at + prefix.size && prefix.indices.all { this[at + it] == prefix[it] }

private fun ByteArray.unsigned(at: Int): Int = this[at].toInt() and 0xFF

private fun ByteArray.bigEndian16(at: Int): Int = unsigned(at) shl 8 or unsigned(at + 1)

private fun ByteArray.bigEndian32(at: Int): Long =
    bigEndian16(at).toLong() shl 16 or bigEndian16(at + 2).toLong()

private fun ByteArray.littleEndian32(at: Int): Long =
    (3 downTo 0).fold(0L) { value, byte -> value shl 8 or unsigned(at + byte).toLong() }
