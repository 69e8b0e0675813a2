package org.cnnkeras.demo.model

import java.nio.ByteBuffer

/**
 * A `.tflite` file of an image classifier that has passed all checks.
 *
 * @property fileName name of the file
 * @property name name of the network; that of the file if the metadata has none
 * @property description one line; empty if the metadata has none
 * @property labels class names in the order of the output; the class indices if the file has none
 * @property hasLabels whether the labels come from the file
 * @property hasPreprocessing whether the file states the preprocessing, or it is assumed
 * @property weightType the type of most constant elements, with NumPy's name
 * @property sha256 SHA-256 hash of the file, in hexadecimal digits
 * @property bytes the whole file: a direct buffer in native order
 * @property drawingStyle style of drawn training data; null if the file does not state it
 */
class ModelFile(
    val fileName: String,
    val name: String,
    val description: String,
    val input: TensorSpec,
    val output: TensorSpec,
    val labels: List<String>,
    val hasLabels: Boolean,
    val preprocessing: Preprocessing,
    val hasPreprocessing: Boolean,
    val weightType: String,
    val sha256: String,
    val bytes: ByteBuffer,
    val drawingStyle: DrawingStyle?,
) {
    /** Size of the file in bytes. */
    val sizeBytes: Int get() = bytes.capacity()
}
