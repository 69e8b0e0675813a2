package org.cnnkeras.demo.model

import java.nio.ByteBuffer

/**
 * A checked `.tflite` file: an image classifier that describes itself.
 *
 * @property fileName as the user knows it
 * @property name of the network; the file's where nobody has named it
 * @property description one line; empty where the file has none
 * @property labels class names in the order of the output; numbers where the file has none
 * @property labelsStated whether the file has the names
 * @property preprocessingStated whether the file states it, or it is an assumption
 * @property weightType the type that most of its constants have, as numpy names it
 * @property sha256 of the file, in hexadecimal digits
 * @property bytes the whole file, direct and in native order
 * @property drawing how drawn training data fills its frame, where the file says so
 */
class ModelFile(
    val fileName: String,
    val name: String,
    val description: String,
    val input: TensorSpec,
    val output: TensorSpec,
    val labels: List<String>,
    val labelsStated: Boolean,
    val preprocessing: Preprocessing,
    val preprocessingStated: Boolean,
    val weightType: String,
    val sha256: String,
    val bytes: ByteBuffer,
    val drawing: Drawing?,
) {
    /** Size of the file. */
    val sizeBytes: Int get() = bytes.capacity()
}

/**
 * How drawn training data fills its frame.
 *
 * @property extent mean of the longer side of the box around the ink, as a part of the frame's
 *     height
 * @property strokeWidth mean width of a stroke, as a part of the frame's height
 */
data class Drawing(val extent: Float, val strokeWidth: Float)
