package org.cnnkeras.demo.image

/**
 * How a stored picture is to be turned before it is shown: EXIF's tag 0x0112.
 *
 * Each of the eight is a mirroring of the stored columns, of the stored rows, and then perhaps an
 * exchange of columns and rows.
 *
 * @property exif the tag's value
 * @property mirrorsColumns whether the stored columns are read from right to left
 * @property mirrorsRows whether the stored rows are read from bottom to top
 * @property swaps whether a stored row is shown as a column
 *
 * Reference: CIPA DC-008-2023, Exif 3.0, section 4.6.5.1.6, "Orientation".
 */
enum class Orientation(
    val exif: Int,
    val mirrorsColumns: Boolean,
    val mirrorsRows: Boolean,
    val swaps: Boolean,
) {
    NORMAL(1, mirrorsColumns = false, mirrorsRows = false, swaps = false),
    MIRRORED(2, mirrorsColumns = true, mirrorsRows = false, swaps = false),
    HALF_TURN(3, mirrorsColumns = true, mirrorsRows = true, swaps = false),
    FLIPPED(4, mirrorsColumns = false, mirrorsRows = true, swaps = false),
    TRANSPOSED(5, mirrorsColumns = false, mirrorsRows = false, swaps = true),
    CLOCKWISE(6, mirrorsColumns = false, mirrorsRows = true, swaps = true),
    TRANSVERSED(7, mirrorsColumns = true, mirrorsRows = true, swaps = true),
    COUNTERCLOCKWISE(8, mirrorsColumns = true, mirrorsRows = false, swaps = true),
    ;

    companion object {
        /** Returns the orientation that the tag names; [NORMAL] if it names none. */
        fun ofExif(value: Int): Orientation = entries.firstOrNull { it.exif == value } ?: NORMAL
    }
}
