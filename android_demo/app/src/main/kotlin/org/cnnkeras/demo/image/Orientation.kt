package org.cnnkeras.demo.image

/**
 * The orientation of a stored image: the EXIF tag 0x0112.
 *
 * To display an image upright, mirror its columns, mirror its rows and transpose it, in this order.
 *
 * @property exif the value of the tag
 * @property mirrorsColumns whether to reverse the order of the columns
 * @property mirrorsRows whether to reverse the order of the rows
 * @property transposes whether to swap rows and columns
 *
 * Reference: CIPA DC-008-2023, Exif 3.0, section 4.6.5.1.6, "Orientation".
 */
enum class Orientation(
    val exif: Int,
    val mirrorsColumns: Boolean,
    val mirrorsRows: Boolean,
    val transposes: Boolean,
) {
    NORMAL(1, mirrorsColumns = false, mirrorsRows = false, transposes = false),
    MIRRORED(2, mirrorsColumns = true, mirrorsRows = false, transposes = false),
    HALF_TURN(3, mirrorsColumns = true, mirrorsRows = true, transposes = false),
    FLIPPED(4, mirrorsColumns = false, mirrorsRows = true, transposes = false),
    TRANSPOSED(5, mirrorsColumns = false, mirrorsRows = false, transposes = true),
    CLOCKWISE(6, mirrorsColumns = false, mirrorsRows = true, transposes = true),
    TRANSVERSED(7, mirrorsColumns = true, mirrorsRows = true, transposes = true),
    COUNTERCLOCKWISE(8, mirrorsColumns = true, mirrorsRows = false, transposes = true),
    ;

    companion object {
        /** Returns the orientation of a tag value; [NORMAL] if the value is invalid. */
        fun ofExif(value: Int): Orientation = entries.firstOrNull { it.exif == value } ?: NORMAL
    }
}
