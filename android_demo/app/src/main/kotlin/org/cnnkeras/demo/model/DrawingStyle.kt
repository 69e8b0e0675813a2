package org.cnnkeras.demo.model

/**
 * How the drawings of a data set fill their frame.
 *
 * @property extent mean of the longer side of the bounding box, as a fraction of the frame height
 * @property strokeWidth mean stroke width, as a fraction of the frame height
 */
data class DrawingStyle(val extent: Float, val strokeWidth: Float)
